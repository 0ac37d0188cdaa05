-- title: A bucket opened to everyone
-- answers: Which bucket policies grant something to any principal, and who put them?
-- severity: critical
-- mitre: T1537
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket, userIdentity.arn AS principal,
       sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'PutBucketPolicy'
  AND errorCode IS NULL
  AND element_at(requestParameters, 'bucketPolicy') LIKE '%"Effect":"Allow"%'
  AND (element_at(requestParameters, 'bucketPolicy') LIKE '%"Principal":"*"%'
       OR element_at(requestParameters, 'bucketPolicy') LIKE '%"Principal":{"AWS":"*"}%')
ORDER BY eventTime
