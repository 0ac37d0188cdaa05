-- title: Many things deleted within an hour
-- answers: Which principals deleted or terminated many resources in an hour, S3 objects aside?
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1485, TA0040:T1489
-- tags: ec2, rds, triage
-- parameter: deletions integer: Fewest calls that delete or terminate
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress,
       count(DISTINCT eventName) AS kinds, array_join(slice(array_sort(array_agg(DISTINCT eventName)), 1, 8), ' ') AS list,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE regexp_like(eventName, '^(Delete|Terminate|Destroy)')
  AND eventCategory = 'Management'
  AND userIdentity.type <> 'AWSService'
  AND coalesce(userIdentity.invokedBy, '') NOT LIKE '%.amazonaws.com'
GROUP BY 1, 2, 3, 4
HAVING count(*) >= 50 /* :deletions */
ORDER BY succeeded DESC, hour, principal, sourceIPAddress
