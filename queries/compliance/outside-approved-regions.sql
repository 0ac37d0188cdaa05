-- title: Changes outside the approved Regions
-- answers: Who changed something in a Region where nothing should be?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1535
-- tags: regions
-- parameter: regions list: Regions in use
SELECT recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS principal,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE readOnly = false
  AND managementEvent = true
  AND userIdentity.type <> 'AWSService'
  AND awsRegion NOT IN ('us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'eu-west-1', 'eu-central-1') /* :regions */
GROUP BY recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn
ORDER BY succeeded DESC, recipientAccountId, awsRegion, eventSource, eventName, principal
