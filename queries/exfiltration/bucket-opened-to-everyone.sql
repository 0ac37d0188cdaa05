-- title: A bucket opened to everyone
-- answers: Which bucket policies grant something to any principal, and who put them?
-- severity: critical
-- outcomes: succeeded
-- mitre: TA0010:T1537, TA0009:T1530
-- tags: s3, policies
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket, userIdentity.arn AS principal,
       sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'PutBucketPolicy'
  AND errorCode IS NULL
  AND element_at(requestParameters, 'bucketPolicy') LIKE '%"Effect":"Allow"%'
  AND (element_at(requestParameters, 'bucketPolicy') LIKE '%"Principal":"*"%'
       OR element_at(requestParameters, 'bucketPolicy') LIKE '%"Principal":{"AWS":"*"}%')
ORDER BY eventTime, eventID
