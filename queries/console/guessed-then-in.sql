-- title: Failed sign-ins, then one that worked
-- answers: Which addresses failed again and again and then signed in within the hour?
-- severity: high
-- outcomes: succeeded
-- mitre: TA0006:T1110.001, TA0001:T1078.004
-- tags: sign-in
-- parameter: failures integer: Fewest failures before
SELECT good.eventTime, good.recipientAccountId, good.userIdentity.arn AS principal, good.sourceIPAddress,
       element_at(good.additionalEventData, 'MFAUsed') AS mfa, count(*) AS failures_before
FROM $EDS_ID AS good
JOIN $EDS_ID AS bad
  ON bad.sourceIPAddress = good.sourceIPAddress
WHERE good.eventName = 'ConsoleLogin'
  AND bad.eventName = 'ConsoleLogin'
  AND element_at(good.responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(bad.responseElements, 'ConsoleLogin') = 'Failure'
  AND bad.eventTime BETWEEN good.eventTime - INTERVAL '1' HOUR AND good.eventTime
GROUP BY good.eventTime, good.eventID, good.recipientAccountId, good.userIdentity.arn, good.sourceIPAddress,
         element_at(good.additionalEventData, 'MFAUsed')
HAVING count(*) >= 5 /* :failures */
ORDER BY good.eventTime, good.eventID
