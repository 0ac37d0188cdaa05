-- title: Objects rewritten with a key that only the caller has
-- answers: Who copied or put objects under customer-provided keys (SSE-C), as ransomware does?
-- severity: critical
-- outcomes: both
-- mitre: TA0040:T1486
-- tags: s3, ransom
-- parameter: objects integer: Fewest objects within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       userIdentity.arn AS principal, sourceIPAddress,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('CopyObject', 'PutObject')
  AND element_at(requestParameters, 'x-amz-server-side-encryption-customer-algorithm') IS NOT NULL
GROUP BY 1, 2, 3, 4, 5
HAVING count(*) >= 10 /* :objects */
ORDER BY hour, bucket, principal, sourceIPAddress
