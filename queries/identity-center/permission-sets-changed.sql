-- title: Permission sets and assignments changed
-- answers: Who gave people or groups rights in accounts through IAM Identity Center?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1098, TA0004:T1098.003
-- tags: identity-center, policies
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'permissionSetArn') AS permission_set,
       element_at(requestParameters, 'principalId') AS receiver, element_at(requestParameters, 'targetId') AS account,
       element_at(requestParameters, 'managedPolicyArn') AS policy, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('CreateAccountAssignment', 'CreatePermissionSet', 'AttachManagedPolicyToPermissionSet',
                    'AttachCustomerManagedPolicyReferenceToPermissionSet', 'PutInlinePolicyToPermissionSet')
ORDER BY eventTime, eventID
