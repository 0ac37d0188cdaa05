-- title: A user added to a group of administrators
-- answers: Who put whom into a group whose name says admin?
-- severity: high
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, groups
-- parameter: group text: Pattern of group names, in lower case
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'userName') AS user_name,
       element_at(requestParameters, 'groupName') AS group_name, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'AddUserToGroup'
  AND lower(element_at(requestParameters, 'groupName')) LIKE '%admin%' /* :group */
ORDER BY eventTime, eventID
