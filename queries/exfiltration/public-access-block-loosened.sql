-- title: The block on public buckets loosened
-- answers: Who removed or weakened a block on public access, of a bucket or a whole account?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.001, TA0009:T1530
-- tags: s3
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'bucketName') AS bucket,
       element_at(requestParameters, 'PublicAccessBlockConfiguration') AS configuration, userIdentity.arn AS principal,
       sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND (eventName IN ('DeleteBucketPublicAccessBlock', 'DeleteAccountPublicAccessBlock')
       OR eventName IN ('PutBucketPublicAccessBlock', 'PutAccountPublicAccessBlock')
          AND element_at(requestParameters, 'PublicAccessBlockConfiguration') LIKE '%:false%')
ORDER BY eventTime, eventID
