-- title: One eventID, several events
-- answers: Which event ids occur more than once within an account, with contents that differ?
-- severity: low
-- outcomes: any
-- tags: coverage
SELECT recipientAccountId, eventID, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last,
       array_join(array_sort(array_agg(DISTINCT eventName)), ' ') AS names
FROM $EDS_ID
WHERE eventID IS NOT NULL
GROUP BY recipientAccountId, eventID
HAVING count(*) > 1
ORDER BY recipientAccountId, eventID
LIMIT 100
