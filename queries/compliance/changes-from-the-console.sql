-- title: Changes made by hand in the console
-- answers: Who changes things in the console rather than through code, how often, and what?
-- severity: low
-- outcomes: both
-- tags: console
SELECT userIdentity.arn AS principal, recipientAccountId, count(DISTINCT eventName) AS calls,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted,
       min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE readOnly = false
  AND sessionCredentialFromConsole = 'true'
  AND eventType = 'AwsApiCall'
GROUP BY userIdentity.arn, recipientAccountId
ORDER BY succeeded DESC, principal, recipientAccountId
