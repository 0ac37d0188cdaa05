-- title: Events that came late or were corrected
-- answers: Which events carry an addendum, and why?
-- severity: informational
-- outcomes: any
-- tags: coverage
-- reference: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
SELECT element_at(addendum, 'reason') AS reason, element_at(addendum, 'updatedFields') AS fields, recipientAccountId,
       eventSource, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE cardinality(addendum) > 0
GROUP BY element_at(addendum, 'reason'), element_at(addendum, 'updatedFields'), recipientAccountId, eventSource
ORDER BY events DESC, reason, fields, recipientAccountId, eventSource
