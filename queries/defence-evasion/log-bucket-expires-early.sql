-- title: A log bucket told to expire its objects soon
-- answers: On which buckets of logs did somebody set a lifecycle of a few days?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.008, TA0040:T1485
-- tags: s3, logging
-- parameter: days integer: Days of life that count as few
-- parameter: buckets text: Pattern of the names of buckets that hold logs
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       regexp_extract(element_at(requestParameters, 'LifecycleConfiguration'), '"Days":([0-9]+)', 1) AS days,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketLifecycle'
  AND regexp_like(element_at(requestParameters, 'bucketName'), 'log|trail|audit' /* :buckets */)
  AND CAST(regexp_extract(element_at(requestParameters, 'LifecycleConfiguration'), '"Days":([0-9]+)', 1) AS integer) < 90 /* :days */
ORDER BY eventTime, eventID
