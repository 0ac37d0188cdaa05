-- title: Roles assumed from another account
-- answers: Which account took which role in which account, how often?
-- severity: low
-- outcomes: succeeded
-- mitre: TA0001:T1199
-- tags: sts, roles
SELECT userIdentity.accountId AS from_account, recipientAccountId AS to_account,
       element_at(requestParameters, 'roleArn') AS role, count(*) AS times, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventName = 'AssumeRole'
  AND errorCode IS NULL
  AND userIdentity.accountId <> recipientAccountId
GROUP BY userIdentity.accountId, recipientAccountId, element_at(requestParameters, 'roleArn')
ORDER BY times DESC, role, from_account, to_account
LIMIT 20
