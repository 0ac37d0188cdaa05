-- title: Roles assumed from another account
-- answers: Which account took which role in which account, how often?
-- severity: low
-- mitre: T1199
SELECT userIdentity.accountId AS from_account, recipientAccountId AS to_account,
       element_at(requestParameters, 'roleArn') AS role, count(*) AS times
FROM $EDS_ID
WHERE eventName = 'AssumeRole'
  AND errorCode IS NULL
  AND userIdentity.accountId <> recipientAccountId
GROUP BY userIdentity.accountId, recipientAccountId, element_at(requestParameters, 'roleArn')
ORDER BY times DESC, role
LIMIT 20
