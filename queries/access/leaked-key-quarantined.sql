-- title: AWS quarantined a leaked key
-- answers: To which users did AWS attach its policy for keys found in public places?
-- severity: critical
-- outcomes: succeeded
-- mitre: TA0006:T1552.001
-- tags: iam, keys
-- reference: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'userName') AS user_name,
       element_at(requestParameters, 'policyArn') AS policy, userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'AttachUserPolicy'
  AND element_at(requestParameters, 'policyArn') LIKE '%:policy/AWSCompromisedKeyQuarantine%'
  AND errorCode IS NULL
ORDER BY eventTime, eventID
