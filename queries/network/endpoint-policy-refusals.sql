-- title: Refused by a VPC endpoint's policy
-- answers: Who tried to reach something through a VPC endpoint that its policy forbids?
-- severity: medium
-- outcomes: failed
-- mitre: TA0010:T1048
-- tags: vpc
-- reference: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
SELECT vpcEndpointId, recipientAccountId, userIdentity.arn AS principal, userIdentity.accountId AS from_account, eventSource,
       eventName, count(*) AS refusals, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventCategory = 'NetworkActivity'
  AND errorCode = 'VpceAccessDenied'
GROUP BY vpcEndpointId, recipientAccountId, userIdentity.arn, userIdentity.accountId, eventSource, eventName
ORDER BY refusals DESC, vpcEndpointId, principal, eventSource, eventName
