-- title: A console password set for somebody else
-- answers: Who gave another IAM user a console password or changed it?
-- severity: high
-- outcomes: both
-- mitre: TA0004:T1098, TA0003:T1098.001
-- tags: iam, console
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS principal,
       element_at(requestParameters, 'userName') AS owner,
       element_at(requestParameters, 'passwordResetRequired') AS reset_required, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateLoginProfile', 'UpdateLoginProfile')
  AND element_at(requestParameters, 'userName') IS DISTINCT FROM userIdentity.userName
ORDER BY eventTime, eventID
