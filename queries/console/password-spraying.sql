-- title: One address, many users
-- answers: Which addresses tried the passwords of several users within an hour?
-- severity: high
-- outcomes: failed
-- mitre: TA0006:T1110.003
-- tags: sign-in
-- parameter: users integer: Fewest different users
SELECT date_trunc('hour', eventTime) AS hour, sourceIPAddress, count(DISTINCT userIdentity.userName) AS users,
       count(*) AS failures, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventName = 'ConsoleLogin'
  AND element_at(responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY 1, 2
HAVING count(DISTINCT userIdentity.userName) >= 5 /* :users */
ORDER BY hour, sourceIPAddress
