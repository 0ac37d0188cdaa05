-- title: Administrator rights given
-- answers: Who attached AdministratorAccess to a user, group or role?
-- severity: critical
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, policies
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS principal,
       coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'),
                element_at(requestParameters, 'groupName')) AS receiver,
       sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
  AND element_at(requestParameters, 'policyArn') LIKE '%:policy/AdministratorAccess'
ORDER BY eventTime, eventID
