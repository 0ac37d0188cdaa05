-- title: Which buckets make the most data events
-- answers: Where do S3 data events come from, which are paid for one by one?
-- severity: informational
-- outcomes: any
-- tags: cost, s3, data-events
SELECT element_at(requestParameters, 'bucketName') AS bucket, recipientAccountId, count(*) AS events,
       count_if(readOnly) AS reads, count(DISTINCT userIdentity.arn) AS principals
FROM $EDS_ID
WHERE eventCategory = 'Data'
  AND eventSource = 's3.amazonaws.com'
GROUP BY element_at(requestParameters, 'bucketName'), recipientAccountId
ORDER BY events DESC, bucket, recipientAccountId
LIMIT 50
