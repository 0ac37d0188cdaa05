-- title: A user made and given a key within minutes
-- answers: Which new users had an access key minutes later from the same address?
-- severity: high
-- outcomes: succeeded
-- mitre: TA0003:T1136.003, TA0003:T1098.001
-- tags: iam, keys
-- parameter: minutes integer: Longest time between the two calls
SELECT made.eventTime AS user_made, keyed.eventTime AS key_made, made.recipientAccountId,
       element_at(made.requestParameters, 'userName') AS user_name, made.userIdentity.arn AS principal, made.sourceIPAddress
FROM $EDS_ID AS made
JOIN $EDS_ID AS keyed
  ON keyed.recipientAccountId = made.recipientAccountId
 AND keyed.sourceIPAddress = made.sourceIPAddress
 AND element_at(keyed.requestParameters, 'userName') = element_at(made.requestParameters, 'userName')
WHERE made.eventName = 'CreateUser'
  AND keyed.eventName = 'CreateAccessKey'
  AND made.eventSource = 'iam.amazonaws.com'
  AND keyed.eventSource = 'iam.amazonaws.com'
  AND made.errorCode IS NULL
  AND keyed.errorCode IS NULL
  AND date_diff('minute', made.eventTime, keyed.eventTime) BETWEEN 0 AND 10 /* :minutes */
ORDER BY user_made, key_made, user_name
