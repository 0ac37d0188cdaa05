-- title: Models called with long-lived keys
-- answers: Which IAM users' keys call models, from where, how often, and how often in vain?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1496.004
-- tags: bedrock, cost, keys
-- parameter: calls integer: Fewest calls
SELECT userIdentity.arn AS principal, recipientAccountId, sourceIPAddress, count(DISTINCT awsRegion) AS regions,
       count(DISTINCT element_at(requestParameters, 'modelId')) AS models, min(eventTime) AS first, max(eventTime) AS last,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('InvokeModel', 'InvokeModelWithResponseStream', 'Converse', 'ConverseStream')
  AND userIdentity.accessKeyId LIKE 'AKIA%'
GROUP BY userIdentity.arn, recipientAccountId, sourceIPAddress
HAVING count(*) >= 10 /* :calls */
ORDER BY succeeded DESC, principal, sourceIPAddress, recipientAccountId
