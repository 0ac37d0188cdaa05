-- title: An MFA device taken from a user
-- answers: Whose second factor was deactivated or deleted, and by whom?
-- severity: high
-- outcomes: both
-- mitre: TA0006:T1556.006
-- tags: mfa, iam
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'userName') AS user_name,
       element_at(requestParameters, 'serialNumber') AS device, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice')
ORDER BY eventTime, eventID
