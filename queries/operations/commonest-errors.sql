-- title: What fails most
-- answers: Which calls fail, with which error, how often, for how many principals?
-- severity: informational
-- outcomes: failed
-- tags: triage
-- parameter: errors integer: Fewest errors
SELECT eventSource, eventName, errorCode, count(*) AS errors, count(DISTINCT userIdentity.arn) AS principals,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE errorCode IS NOT NULL
GROUP BY eventSource, eventName, errorCode
HAVING count(*) >= 5 /* :errors */
ORDER BY errors DESC, eventSource, eventName, errorCode
LIMIT 50
