-- title: Requests that only an ACL allowed
-- answers: Which buckets still depend on access control lists? (Needs S3 data events.)
-- severity: informational
-- outcomes: any
-- tags: s3, data-events, compliance
SELECT element_at(requestParameters, 'bucketName') AS bucket, recipientAccountId, eventName, count(*) AS requests,
       count(DISTINCT userIdentity.accountId) AS accounts, max(eventTime) AS last
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND element_at(additionalEventData, 'aclRequired') = 'Yes'
GROUP BY element_at(requestParameters, 'bucketName'), recipientAccountId, eventName
ORDER BY requests DESC, bucket, eventName, recipientAccountId
