-- title: A role put on a running instance
-- answers: Who gave an instance another role, or an instance profile another role?
-- severity: medium
-- outcomes: both
-- mitre: TA0004:T1098.003
-- tags: iam, ec2, roles
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'instanceProfileName'),
                json_extract_scalar(eventJson, '$.requestParameters.AssociateIamInstanceProfileRequest.InstanceId'),
                json_extract_scalar(eventJson, '$.requestParameters.ReplaceIamInstanceProfileAssociationRequest.AssociationId')) AS target,
       element_at(requestParameters, 'roleName') AS role, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventName IN ('AddRoleToInstanceProfile', 'AssociateIamInstanceProfile', 'ReplaceIamInstanceProfileAssociation')
ORDER BY eventTime, eventID
