-- title: Versions and kinds of records
-- answers: Which record versions and event types are there, since when, until when?
-- severity: informational
-- outcomes: any
-- tags: coverage
SELECT eventVersion, eventType, eventCategory, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
GROUP BY eventVersion, eventType, eventCategory
ORDER BY eventVersion, eventType, eventCategory
