-- title: Console sign-ins that failed, by address
-- answers: Which addresses guessed passwords, how often, between when and when?
-- severity: medium
-- outcomes: failed
-- mitre: TA0006:T1110
-- tags: sign-in
-- parameter: failures integer: Fewest failures of an address
SELECT sourceIPAddress, count(*) AS failures, count(DISTINCT userIdentity.userName) AS users, min(eventTime) AS first,
       max(eventTime) AS last
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin'
  AND element_at(responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY sourceIPAddress
HAVING count(*) >= 10 /* :failures */
ORDER BY failures DESC, sourceIPAddress
