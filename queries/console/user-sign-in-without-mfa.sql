-- title: IAM users who signed in without MFA
-- answers: Which IAM users sign in to the console with a password alone?
-- severity: medium
-- outcomes: succeeded
-- mitre: TA0001:T1078.004
-- tags: sign-in, mfa
SELECT recipientAccountId, userIdentity.arn AS principal, count(*) AS sign_ins,
       count(DISTINCT sourceIPAddress) AS addresses, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin'
  AND userIdentity.type = 'IAMUser'
  AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No'
GROUP BY recipientAccountId, userIdentity.arn
ORDER BY sign_ins DESC, principal
