-- title: A permissions boundary removed
-- answers: Whose limits on what policies may grant were taken away, and by whom?
-- severity: high
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, policies
SELECT eventTime, recipientAccountId, eventName,
       coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName')) AS freed,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeleteUserPermissionsBoundary', 'DeleteRolePermissionsBoundary')
ORDER BY eventTime, eventID
