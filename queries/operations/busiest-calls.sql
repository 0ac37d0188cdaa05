-- title: What is called most
-- answers: Which calls make most of the events, from how many principals?
-- severity: informational
-- outcomes: any
-- tags: triage
SELECT eventSource, eventName, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals,
       count_if(errorCode IS NOT NULL) AS errors
FROM $EDS_ID
GROUP BY eventSource, eventName
ORDER BY calls DESC, eventSource, eventName
LIMIT 10
