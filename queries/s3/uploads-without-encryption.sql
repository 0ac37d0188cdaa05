-- title: Objects put without encryption at rest
-- answers: Into which buckets are objects put that S3 did not encrypt? (Needs S3 data events.)
-- severity: low
-- outcomes: succeeded
-- mitre: TA0009:T1530
-- tags: s3, data-events, compliance
SELECT element_at(requestParameters, 'bucketName') AS bucket, recipientAccountId, count(*) AS objects,
       count(DISTINCT userIdentity.arn) AS principals, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutObject'
  AND errorCode IS NULL
  AND element_at(additionalEventData, 'SSEApplied') IS NULL
  AND element_at(requestParameters, 'x-amz-server-side-encryption') IS NULL
  AND element_at(responseElements, 'x-amz-server-side-encryption') IS NULL
GROUP BY element_at(requestParameters, 'bucketName'), recipientAccountId
ORDER BY objects DESC, bucket, recipientAccountId
