-- title: Principals that are refused most
-- answers: Who was denied what, how often, and how many different calls did they try?
-- severity: low
-- mitre: T1580
SELECT userIdentity.arn AS principal, errorCode, count(*) AS refusals, count(DISTINCT eventName) AS calls
FROM $EDS_ID
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')
GROUP BY userIdentity.arn, errorCode
ORDER BY refusals DESC, principal
LIMIT 20
