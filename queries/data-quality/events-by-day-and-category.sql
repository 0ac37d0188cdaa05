-- title: Events by day, account and category
-- answers: How many events of which kind does each account have on each day, and where is a hole?
-- severity: informational
-- outcomes: any
-- tags: coverage
SELECT date_trunc('day', eventTime) AS day, recipientAccountId, eventCategory, count(*) AS events,
       count(DISTINCT awsRegion) AS regions, count(DISTINCT date_trunc('hour', eventTime)) AS hours
FROM $EDS_ID
GROUP BY 1, 2, 3
ORDER BY day, recipientAccountId, eventCategory
