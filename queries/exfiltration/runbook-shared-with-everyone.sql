-- title: A Systems Manager document shared with everyone
-- answers: Which SSM documents became public, and who shared them?
-- severity: high
-- outcomes: both
-- mitre: TA0010:T1567
-- tags: ssm
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'name') AS document,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'ModifyDocumentPermission'
  AND json_array_contains(element_at(requestParameters, 'accountIdsToAdd'), 'all')
ORDER BY eventTime, eventID
