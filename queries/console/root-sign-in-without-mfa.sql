-- title: Root signed in to the console without MFA
-- answers: When and from where did a root user sign in with a password alone?
-- severity: critical
-- outcomes: succeeded
-- mitre: TA0001:T1078.004
-- tags: root, mfa
SELECT eventTime, recipientAccountId, sourceIPAddress, userAgent
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin'
  AND userIdentity.type = 'Root'
  AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No'
ORDER BY eventTime, eventID
