-- title: Callers from accounts that are not ours
-- answers: Which outside accounts made calls here, what did they call, and what came through?
-- severity: medium
-- outcomes: both
-- mitre: TA0001:T1199
-- tags: sts, s3
-- parameter: ours list: Account ids that are expected
SELECT userIdentity.accountId AS from_account, recipientAccountId, eventSource, eventName,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE userIdentity.accountId <> recipientAccountId
  AND userIdentity.type <> 'AWSService'
  AND userIdentity.accountId NOT IN ('000000000000') /* :ours */
GROUP BY userIdentity.accountId, recipientAccountId, eventSource, eventName
ORDER BY succeeded DESC, attempted DESC, from_account, recipientAccountId, eventSource, eventName
