-- title: People, groups and their second factors changed
-- answers: Who made users, put them into groups, reset passwords or removed MFA devices in the directory?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1136.003, TA0006:T1556.006
-- tags: identity-center, mfa
SELECT eventTime, recipientAccountId, eventSource, eventName, element_at(requestParameters, 'userId') AS user_id,
       element_at(requestParameters, 'groupId') AS group_id, coalesce(userIdentity.arn, userIdentity.onBehalfOf.userId) AS principal,
       sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource IN ('sso-directory.amazonaws.com', 'identitystore.amazonaws.com')
  AND eventName IN ('CreateUser', 'AddMemberToGroup', 'CreateGroupMembership', 'UpdatePassword', 'DeleteMfaDeviceForUser',
                    'UpdateMfaDeviceManagementForDirectory')
ORDER BY eventTime, eventID
