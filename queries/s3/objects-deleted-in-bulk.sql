-- title: Objects deleted in bulk
-- answers: Which principals deleted many objects of one bucket within an hour? (Needs S3 data events.)
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1485
-- tags: s3, data-events, ransom
-- parameter: calls integer: Fewest calls within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       userIdentity.arn AS principal, sourceIPAddress,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('DeleteObject', 'DeleteObjects')
  AND userIdentity.type <> 'AWSService'
GROUP BY 1, 2, 3, 4, 5
HAVING count(*) >= 100 /* :calls */
ORDER BY succeeded DESC, hour, bucket, principal, sourceIPAddress
