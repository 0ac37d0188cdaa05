-- title: Calls through another account's VPC endpoint
-- answers: Which principals reached us through a VPC endpoint that belongs to somebody else?
-- severity: medium
-- outcomes: both
-- mitre: TA0010:T1537
-- tags: network, vpc
-- reference: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
SELECT vpcEndpointAccountId, recipientAccountId, vpcEndpointId, userIdentity.arn AS principal, eventSource,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE vpcEndpointAccountId <> recipientAccountId
GROUP BY vpcEndpointAccountId, recipientAccountId, vpcEndpointId, userIdentity.arn, eventSource
ORDER BY first, vpcEndpointId, principal, eventSource, recipientAccountId
