-- title: An object named like a ransom note
-- answers: Which objects were put whose names speak of ransom, decryption or recovery?
-- severity: critical
-- outcomes: both
-- mitre: TA0040:T1486, TA0040:T1491
-- tags: s3, ransom
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       element_at(requestParameters, 'key') AS object, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutObject'
  AND regexp_like(lower(element_at(requestParameters, 'key')),
                  '(ransom|how.?to.?(decrypt|recover|restore)|restore.?(your.?)?files|decrypt.?instruction|files.?encrypted|warning.?note)')
ORDER BY eventTime, eventID
