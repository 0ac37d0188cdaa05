-- title: Gigabytes read from buckets
-- answers: Which principals read more than a gigabyte out of one bucket within an hour? (Needs S3 data events.)
-- severity: high
-- outcomes: succeeded
-- mitre: TA0009:T1530
-- tags: s3, data-events
-- parameter: bytes integer: Fewest bytes within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       userIdentity.arn AS principal, sourceIPAddress, count(*) AS reads,
       CAST(sum(CAST(element_at(additionalEventData, 'bytesTransferredOut') AS double)) AS bigint) AS bytes
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'GetObject'
  AND errorCode IS NULL
GROUP BY 1, 2, 3, 4, 5
HAVING sum(CAST(element_at(additionalEventData, 'bytesTransferredOut') AS double)) >= 1000000000 /* :bytes */
ORDER BY bytes DESC, hour, bucket, principal, sourceIPAddress
