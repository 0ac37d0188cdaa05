-- title: An access key made for somebody else
-- answers: Who made access keys for users other than themselves, and which keys?
-- severity: high
-- outcomes: succeeded
-- mitre: TA0003:T1098.001
-- tags: iam, keys
SELECT eventTime, recipientAccountId, userIdentity.userName AS maker, element_at(requestParameters, 'userName') AS owner,
       json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') AS access_key, sourceIPAddress
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  AND errorCode IS NULL
  AND element_at(requestParameters, 'userName') IS DISTINCT FROM userIdentity.userName
  AND element_at(requestParameters, 'userName') IS NOT NULL
ORDER BY eventTime, eventID
