-- title: Principals that are refused most
-- answers: Who was denied what, how often, and how many different calls did they try?
-- severity: low
-- outcomes: failed
-- mitre: TA0007:T1580
-- tags: iam, triage
-- parameter: refusals integer: Fewest refusals of a principal
-- reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
SELECT userIdentity.arn AS principal, errorCode, count(*) AS refusals, count(DISTINCT eventName) AS calls,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')
GROUP BY userIdentity.arn, errorCode
HAVING count(*) >= 2 /* :refusals */
ORDER BY refusals DESC, principal, errorCode
LIMIT 20
