-- title: A bucket told to replicate
-- answers: Which buckets copy their new objects elsewhere since when, and to which bucket?
-- severity: medium
-- outcomes: both
-- mitre: TA0010:T1537
-- tags: s3
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       regexp_extract(element_at(requestParameters, 'ReplicationConfiguration'), 'arn:aws[a-z-]*:s3:::([^"]+)', 1) AS copied_to,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketReplication'
ORDER BY eventTime, eventID
