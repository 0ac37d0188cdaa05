-- title: An access key for root
-- answers: Which accounts' root users made themselves an access key?
-- severity: critical
-- outcomes: both
-- mitre: TA0003:T1098.001
-- tags: iam, keys, root
SELECT eventTime, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress, userAgent,
       json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') AS access_key,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  AND userIdentity.type = 'Root'
  AND element_at(requestParameters, 'userName') IS NULL
ORDER BY eventTime, eventID
