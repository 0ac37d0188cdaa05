-- title: "Who am I?", then "which buckets?"
-- answers: Which keys asked for their identity and then listed buckets minutes later, as people with a found key do?
-- severity: medium
-- outcomes: both
-- mitre: TA0007:T1087.004, TA0007:T1619
-- tags: sts, s3, keys
-- parameter: minutes integer: Longest time between the two calls
SELECT asked.eventTime AS asked, listed.eventTime AS listed, asked.recipientAccountId, asked.userIdentity.arn AS principal,
       asked.userIdentity.accessKeyId AS access_key, asked.sourceIPAddress, asked.userAgent,
       if(listed.errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID AS asked
JOIN $EDS_ID AS listed
  ON listed.userIdentity.accessKeyId = asked.userIdentity.accessKeyId
 AND listed.sourceIPAddress = asked.sourceIPAddress
WHERE asked.eventSource = 'sts.amazonaws.com'
  AND asked.eventName = 'GetCallerIdentity'
  AND listed.eventSource = 's3.amazonaws.com'
  AND listed.eventName = 'ListBuckets'
  AND date_diff('minute', asked.eventTime, listed.eventTime) BETWEEN 0 AND 5 /* :minutes */
  AND asked.eventTime <= listed.eventTime
ORDER BY asked, listed, access_key
