-- title: Events that lack what every event should have
-- answers: How many events have no id, time, account, identity or name, and from which services?
-- severity: low
-- outcomes: any
-- tags: coverage
SELECT eventSource, eventVersion, count(*) AS events, count_if(eventID IS NULL) AS without_id,
       count_if(eventTime IS NULL) AS without_time, count_if(recipientAccountId IS NULL) AS without_account,
       count_if(userIdentity.type IS NULL AND userIdentity.invokedBy IS NULL) AS without_identity
FROM $EDS_ID
WHERE eventID IS NULL
   OR eventTime IS NULL
   OR recipientAccountId IS NULL
   OR eventName IS NULL
   OR (userIdentity.type IS NULL AND userIdentity.invokedBy IS NULL)
GROUP BY eventSource, eventVersion
ORDER BY events DESC, eventSource, eventVersion
