-- title: Calls by the user agents of attack tools
-- answers: Which principals called through Kali, Parrot, Pacu, TruffleHog and the like?
-- severity: high
-- outcomes: both
-- mitre: TA0001:T1078.004, TA0043:T1595
-- tags: iam, keys
-- parameter: agents text: Pattern of user agents, in lower case
SELECT userIdentity.arn AS principal, recipientAccountId, sourceIPAddress, userAgent, min(eventTime) AS first,
       max(eventTime) AS last, count(DISTINCT eventName) AS calls,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE regexp_like(lower(userAgent), 'kali|parrot|pentoo|pacu|trufflehog|cloudfox|scoutsuite|s3 browser' /* :agents */)
GROUP BY userIdentity.arn, recipientAccountId, sourceIPAddress, userAgent
ORDER BY first, principal, sourceIPAddress, userAgent, recipientAccountId
