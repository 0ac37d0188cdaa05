-- title: A Region switched on
-- answers: Who enabled a Region that was off, where nobody may be looking?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1535
-- tags: account
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'RegionName') AS region, userIdentity.arn AS principal,
       sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'account.amazonaws.com'
  AND eventName = 'EnableRegion'
ORDER BY eventTime, eventID
