-- title: Event rules disabled or emptied
-- answers: Which EventBridge rules that alarms hang on were disabled, deleted or lost their targets?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: events, detection
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'name'), element_at(requestParameters, 'rule')) AS rule,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'events.amazonaws.com'
  AND eventName IN ('DisableRule', 'DeleteRule', 'RemoveTargets')
ORDER BY eventTime, eventID
