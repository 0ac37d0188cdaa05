-- title: Many different questions in a short time
-- answers: Which principals tried many different List, Get and Describe calls within ten minutes?
-- severity: medium
-- outcomes: both
-- mitre: TA0007:T1580, TA0007:T1526
-- tags: triage
-- parameter: calls integer: Fewest different calls
SELECT from_unixtime(floor(to_unixtime(eventTime) / 600) * 600) AS ten_minutes, recipientAccountId,
       userIdentity.arn AS principal, sourceIPAddress, count(DISTINCT eventName) AS calls,
       count(DISTINCT eventSource) AS services, count_if(errorCode IS NULL) AS succeeded,
       count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE regexp_like(eventName, '^(List|Get|Describe)')
  AND userIdentity.type <> 'AWSService'
  AND sourceIPAddress NOT LIKE '%.amazonaws.com'
GROUP BY 1, 2, 3, 4
HAVING count(DISTINCT eventName) >= 30 /* :calls */
ORDER BY calls DESC, ten_minutes, principal, sourceIPAddress, recipientAccountId
