-- title: Calls that were throttled
-- answers: Who was told to slow down, for which calls?
-- severity: low
-- outcomes: failed
-- mitre: TA0040:T1499
-- tags: triage
-- parameter: times integer: Fewest throttled calls
SELECT eventSource, eventName, userIdentity.arn AS principal, recipientAccountId, awsRegion, count(*) AS throttled,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE errorCode IN ('ThrottlingException', 'Throttling', 'Client.RequestLimitExceeded', 'RequestLimitExceeded',
                    'TooManyRequestsException', 'SlowDown', 'ProvisionedThroughputExceededException')
GROUP BY eventSource, eventName, userIdentity.arn, recipientAccountId, awsRegion
HAVING count(*) >= 10 /* :times */
ORDER BY throttled DESC, eventSource, eventName, principal, recipientAccountId, awsRegion
