-- title: Console sign-ins that failed, by address
-- answers: Which addresses guessed passwords, how often, between when and when?
-- severity: medium
-- mitre: T1110
SELECT sourceIPAddress, count(*) AS failures, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin'
  AND element_at(responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY sourceIPAddress
HAVING count(*) >= 10
ORDER BY failures DESC
