-- title: An inline policy that allows every action
-- answers: Who wrote an inline policy with Action "*" onto a user, group or role?
-- severity: critical
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, policies
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS principal,
       coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'),
                element_at(requestParameters, 'groupName')) AS receiver,
       element_at(requestParameters, 'policyName') AS policy, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy')
  AND regexp_like(element_at(requestParameters, 'policyDocument'), '"Action"\s*:\s*\[?\s*"\*"')
  AND regexp_like(element_at(requestParameters, 'policyDocument'), '"Effect"\s*:\s*"Allow"')
ORDER BY eventTime, eventID
