-- title: Objects touched without credentials
-- answers: Which buckets were reached by nobody in particular, from where, and did it work? (Needs S3 data events.)
-- severity: medium
-- outcomes: both
-- mitre: TA0009:T1530, TA0001:T1190
-- tags: s3, data-events
SELECT element_at(requestParameters, 'bucketName') AS bucket, recipientAccountId, eventName, sourceIPAddress,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND userIdentity.type = 'AWSAccount'
  AND userIdentity.accountId IN ('anonymous', 'ANONYMOUS_PRINCIPAL')
GROUP BY element_at(requestParameters, 'bucketName'), recipientAccountId, eventName, sourceIPAddress
ORDER BY succeeded DESC, attempted DESC, bucket, eventName, sourceIPAddress
